"""What is written plays in Chromium."""

import base64

import pytest

from keras_hrnet.evaluation.video.reading import Video
from keras_hrnet.evaluation.video.writing import writing_video

pytestmark = [pytest.mark.browser, pytest.mark.once]

PLAY = """
const [address, done] = arguments, video = document.createElement("video");
video.muted = true;
video.onerror = () => done({error: video.error.message});
video.ontimeupdate = () => {
  if (video.currentTime < 0.2) return;
  const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext("2d");
  context.drawImage(video, 20, 50, 1, 1, 0, 0, 1, 1);
  video.ontimeupdate = null;
  done({ready: video.readyState, seconds: video.duration, size: [video.videoHeight, video.videoWidth],
        color: [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)});
};
video.src = address;
document.body.append(video);
video.play();
"""


@pytest.mark.parametrize("name", ["b.mp4", "b.webm"])
def test_a_written_video_plays_in_chromium(name, driver, draw_video, tmp_path):
    draw_video(tmp_path / "a.mkv", range(0, 30 * 512, 512), size=(63, 96), codec="ffv1")
    with Video(tmp_path / "a.mkv") as video, writing_video(tmp_path / name, video) as writer:
        for frame in video.frames():
            writer.write(frame, writer.prepare(frame, frame.image))
    driver.get("data:text/html,<!DOCTYPE html><title>A video</title><body></body>")
    driver.set_script_timeout(60)
    data = base64.b64encode((tmp_path / name).read_bytes()).decode()
    played = driver.execute_async_script(PLAY, f"data:video/{name[2:]};base64,{data}")
    assert played["ready"] >= 2, played
    assert played["seconds"] == pytest.approx(1, abs=0.05)
    assert played["size"] == [64, 96]
    assert played["color"] == pytest.approx([30, 200, 50], abs=12)
