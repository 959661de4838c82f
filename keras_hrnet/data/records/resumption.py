"""Finds the shards that were finished before packing was interrupted, and refuses folders with other contents."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_hrnet.data.records.manifest import (
    MANIFEST_NAME,
    Shard,
    earlier_part_of,
    own_manifest_of,
    read_manifest,
    shard_fault,
)
from keras_hrnet.data.records.plan import PlannedShard
from keras_hrnet.picture_files.listing import entries


def undamaged_shards(folder: Path, plan: list[PlannedShard]) -> dict[str, Shard]:
    """Finds the shards of a plan that are finished.

    Args:
        folder: the `Path` that is packed to; it need not exist.

    Returns:
        The existing shards whose checksum matches their manifest, by name.

    Raises:
        ValueError: if the folder contains anything that does not belong to the plan.
        NotADirectoryError: if it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file. Expected a folder to pack to. Pass another, or remove the file.")
    listed = _listed_shards(folder, plan)
    _require_nothing_else(folder, plan, listed)
    with ThreadPoolExecutor() as pool:
        faults = pool.map(lambda shard: shard_fault(folder, shard, contents=True), listed.values())
        return {shard.name: shard for shard, fault in zip(listed.values(), faults, strict=True) if fault is None}


def _listed_shards(folder, plan):
    planned = {shard.name: shard for shard in plan}
    # A shard's own manifest is newer than the manifest of all shards.
    paths = [folder / MANIFEST_NAME, *(folder / own_manifest_of(name) for name in planned)]
    listed = {}
    for path in paths:
        for shard in read_manifest(path) if path.is_file() else ():
            _require_planned(path, shard, planned)
            listed[shard.name] = shard
    return listed


def _require_planned(path, shard, planned):
    if shard.name not in planned:
        raise _other_samples(path, f"{shard.name}, although {len(planned)} shards are planned")
    there, wanted = [record.sample for record in shard.records], planned[shard.name].samples
    for its, mine in zip(there, wanted, strict=False):
        if its != mine:
            raise _other_samples(path, f"{_described(its)} instead of {_described(mine)}")
    if len(there) != len(wanted):
        raise _other_samples(path, f"{len(there)} samples in {shard.name} instead of {len(wanted)}")


def _described(sample):
    kept = ", as pixels" if sample.as_pixels else ""
    return f"{sample.label!r} ({sample.label_bytes} bytes, image {sample.image_bytes}{kept})"


def _require_nothing_else(folder, plan, listed):
    own = {MANIFEST_NAME, *(own_manifest_of(shard.name) for shard in plan)}
    allowed = {*own, *listed, *map(earlier_part_of, (*own, *(shard.name for shard in plan)))}
    foreign = [path for path in entries(folder) if path.name not in allowed]
    if foreign:
        raise ValueError(
            f"{folder} holds {foreign[0].name}{f' and {len(foreign) - 1} more' if len(foreign) > 1 else ''}. Expected "
            f"an empty folder, or one in which packing these {sum(len(shard.samples) for shard in plan)} samples into "
            f"{len(plan)} shards was interrupted. Pack to another folder, or remove this one."
        )


def _other_samples(path, difference):
    return ValueError(
        f"{path} lists other samples, or shards of another size: {difference}. Expected an empty folder, or one "
        f"in which packing the same samples in the same way was interrupted. Pack to another folder, or remove "
        f"{path.parent}."
    )
