"""Lists the members of zip files and their positions, without trusting the sizes that the files state."""

import os
import struct
import zipfile
import zlib
from typing import BinaryIO, NamedTuple

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_CHUNK_BYTES = 2**20
# The exceptions that `zipfile` raises for damaged files, found in its code and by experiment. EOFError and OSError are
# also raised when it seeks to an impossible position; none of the others is a fault of the disk.
_FAULTS = (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, OverflowError, RuntimeError, ValueError)


class Member(NamedTuple):
    """A member of a zip file: the position of its first byte, its size in bytes, and its CRC-32."""

    start: int
    size: int
    checksum: int


def stored_members(file: BinaryIO) -> dict[str, Member]:
    """Lists the members of a zip file whose members are not compressed.

    All members together are at most as large as the file, so that reading them takes at most that much memory.

    Args:
        file: open for reading.

    Raises:
        ValueError: if it is not a zip file, is damaged, or holds compressed or encrypted members; the message calls the
            file "it" instead of naming it.
    """
    length = file.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (*_FAULTS, struct.error) as error:
        raise ValueError(f"it is not a complete zip file ({error}).") from error
    members = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise ValueError(f"its part {entry.filename!r} is compressed or encrypted.")
        if entry.filename in members:
            raise ValueError(f"it holds {entry.filename!r} twice.")
        members[entry.filename] = _located(file, entry, length)
    if sum(member.size for member in members.values()) > length:
        raise ValueError("its parts overlap.")
    return members


def read_member(file: BinaryIO, member: Member) -> bytes:
    """Reads a member.

    Raises:
        ValueError: if its checksum differs; the message does not name the file.
    """
    file.seek(member.start)
    content = file.read(member.size)
    if zlib.crc32(content) != member.checksum:
        raise ValueError("the checksum of a part is wrong.")
    return content


def check_member(file: BinaryIO, member: Member) -> None:
    """Verifies the checksum of a member without keeping the member in memory.

    Raises:
        ValueError: if the checksum differs; the message does not name the file.
    """
    file.seek(member.start)
    left, checksum = member.size, 0
    while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
        left, checksum = left - len(chunk), zlib.crc32(chunk, checksum)
    if checksum != member.checksum:
        raise ValueError("the checksum of a part is wrong.")


def _located(file, entry, length):
    start = entry.header_offset + _LOCAL_HEADER.size
    if entry.header_offset >= 0 and start <= length:
        file.seek(entry.header_offset)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        start += name_length + extra_length
        if signature == b"PK\3\4" and start + entry.file_size <= length:
            return Member(start, entry.file_size, entry.CRC)
    raise ValueError(f"its part {entry.filename!r} lies outside of it.")
