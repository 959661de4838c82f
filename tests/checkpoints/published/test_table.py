import re

import pytest

from keras_hrnet.checkpoints.published import PublishedWeights
from keras_hrnet.checkpoints.published.table import read_table

pytestmark = pytest.mark.once

SHARED = 'page = "https://example.org"\nsource = "README.md"\n'
OWN = 'name = "mine_w18"\nvariant = "HRNetW18"\ndataset = "streets"\nfile = "w18.pth"\n'


def read(own=OWN, publisher=SHARED, top=""):
    return read_table(f"{top}\n[[publisher]]\n{publisher}\n[[publisher.weights]]\n{own}", "mine.toml")


def test_a_file_needs_its_name_network_data_set_and_origin_alone():
    expected = PublishedWeights(
        name="mine_w18",
        variant="HRNetW18",
        dataset="streets",
        file="w18.pth",
        page="https://example.org",
        source="README.md",
    )
    assert read() == (expected,)


def test_what_is_shared_holds_for_all_files_that_do_not_say_otherwise():
    other = OWN.replace("mine_w18", "mine_w48") + 'license = "MIT"\n'
    rows = read(f"{OWN}\n[[publisher.weights]]\n{other}", f'{SHARED}license = "Apache-2.0"\n', "align_corners = true")
    assert [(row.name, row.license, row.align_corners) for row in rows] == [
        ("mine_w18", "Apache-2.0", True),
        ("mine_w48", "MIT", True),
    ]


def test_a_field_in_braces_is_filled_in_with_those_in_it():
    publisher = SHARED + 'url = "https://example.org/{model}/{file}"\n'
    own = OWN.replace("w18.pth", "{model}-{sha256_start}.pth") + 'model = "hrnet_w18"\nsha256_start = "00eb2006"\n'
    (row,) = read(own, publisher)
    assert row.url == "https://example.org/hrnet_w18/hrnet_w18-00eb2006.pth"
    assert row.file == "hrnet_w18-00eb2006.pth"


def test_lists_among_the_options_of_a_head_become_tuples():
    (row,) = read(OWN + "head_options = { ocr_channels = [512, 256], head_kernel_size = 3 }\n")
    assert row.head_options == {"ocr_channels": (512, 256), "head_kernel_size": 3}
    assert hash(row) == hash(read()[0])


@pytest.mark.parametrize(
    ("own", "error", "message"),
    [
        (
            OWN + 'scroe = "80.9 mIoU"\n',
            ValueError,
            r"Received scroe for 'mine_w18' in mine\.toml\. Expected the fields name, .*score, .* Correct the spelling",
        ),
        (
            OWN.replace("variant", "# variant"),
            ValueError,
            r"Received no variant for 'mine_w18' in mine\.toml\. Expected at least name, variant, dataset, file",
        ),
        (OWN.replace("name", "# name"), ValueError, r"Received no name for 'a file' in mine\.toml"),
        (OWN + "num_classes = true\n", TypeError, r"Received num_classes=True for 'mine_w18' in .*\. Expected int\. C"),
        (OWN + "head = 3\n", TypeError, r"Received head=3 for .*\. Expected str\."),
        (
            OWN + "head_options = [512, 256]\n",
            TypeError,
            r"Received head_options=\[512, 256\] for .*\. Expected dict\.",
        ),
        (
            OWN + 'url = "https://example.org/{model}.pth"\n',
            ValueError,
            r"Received 'https://example.org/\{model\}.pth' for .*\. Expected a value for \{model\}.*\. Add model\.",
        ),
        (OWN.replace("w18.pth", "{file}"), ValueError, r"Expected a value for \{file\} that does not hold itself"),
    ],
)
def test_what_is_no_published_file_is_refused(own, error, message):
    with pytest.raises(error, match=message):
        read(own)


@pytest.mark.parametrize(
    ("text", "missing"), [(OWN, "publisher"), ("publisher = 3", "publisher"), ("[[publisher]]", "weights")]
)
def test_a_table_without_publishers_or_weights_is_refused(text, missing):
    with pytest.raises(ValueError, match=re.escape(f"mine.toml has no [[{missing}]]. Expected publishers")):
        read_table(text, "mine.toml")
