"""From the record of what a disk was asked to do (shim/vfs.c), what a power cut may have left of it.

What was synced is there. Of what was written since the last sync of a file, each sector of 512 bytes is there in any of
the states it had since then, whatever happened to the sectors beside it and in whatever order they were written: writes
get lost, torn and reordered. A file that was made and never synced may be missing; a truncation may have happened or not.
"""

import collections
import struct

SECTOR = 512
HEADER = struct.Struct("=c15sqq")
Entry = collections.namedtuple("Entry", "what name offset data end")  # end: where the record ends after it


def read_record(path):
    with open(path, "rb") as file:
        record = file.read()
    entries, at = [], 0
    while at < len(record):
        what, name, offset, length = HEADER.unpack_from(record, at)
        at += HEADER.size
        entries.append(Entry(what.decode(), name.rstrip(b"\0").decode(), offset, record[at : at + length], at + length))
        at += length
    return entries


class File:
    def __init__(self):
        self.synced = None  # bytearray; None: not there
        self.pending = []  # entries since the last sync

    def apply(self, entry):
        if entry.what == "s":
            for change in self.pending:
                self.make_durable(change)
            self.pending = []
        elif entry.what == "d" and entry.offset:  # the directory was synced with it
            self.synced, self.pending = None, []
        else:
            self.pending.append(entry)

    def make_durable(self, change):
        content = self.synced = bytearray() if self.synced is None else self.synced
        if change.what == "w":
            content.extend(bytes(max(0, change.offset - len(content))))
            content[change.offset : change.offset + len(change.data)] = change.data
        elif change.what == "t":
            del content[change.offset :]
        else:
            self.synced = None

    def states(self, sector):
        """The contents that a sector has had since the last sync, the synced one at first; of what may be torn, both ends."""
        low, high = sector * SECTOR, (sector + 1) * SECTOR
        state = bytes((self.synced or b"")[low:high])
        states = [state]
        for entry in self.pending:
            if entry.what == "t" and entry.offset < high:
                state = state[: max(0, entry.offset - low)]
                states.append(state)
            elif entry.what == "w" and entry.offset < high and entry.offset + len(entry.data) > low:
                begin, end = max(low, entry.offset), min(high, entry.offset + len(entry.data))
                piece = entry.data[begin - entry.offset : end - entry.offset]
                state = state.ljust(begin - low, b"\0")
                state = state[: begin - low] + piece + state[end - low :]
                states.append(state)
        return states

    def cut(self, dice, kept):
        """An image of the file, or None if it is missing. kept: how likely a write is there, 0 to 1."""
        if self.synced is None and (not self.pending or dice.random() > kept):
            return None
        if any(entry.what == "d" for entry in self.pending):
            return None if dice.random() < kept else self.synced
        if kept == 0:
            return self.synced or bytearray()
        image = bytearray(self.synced or b"")
        touched = {
            sector
            for entry in self.pending
            for sector in (
                range(entry.offset // SECTOR, (entry.offset + len(entry.data) - 1) // SECTOR + 1)
                if entry.what == "w"
                else range(entry.offset // SECTOR, (len(image) - 1) // SECTOR + 1)
            )
        }
        for sector in sorted(touched):
            states = self.states(sector)
            state = dice.choice(states[1:] or states) if dice.random() < kept else states[0]
            low = sector * SECTOR
            if state and len(image) < low:
                image.extend(bytes(low - len(image)))
            image[low : low + SECTOR] = state.ljust(min(SECTOR, len(image) - low), b"\0") if low < len(image) else state
        truncations = [entry for entry in self.pending if entry.what == "t"]
        if truncations and dice.random() < kept:
            after = self.pending[self.pending.index(truncations[-1]) + 1 :]
            del image[max([truncations[-1].offset] + [e.offset + len(e.data) for e in after if e.what == "w"]) :]
        return image


class Disk:
    """The files, as they are after the first entries of the record."""

    def __init__(self, entries):
        self.entries, self.done = entries, 0
        self.files = collections.defaultdict(File)

    def advance(self, count):
        while self.done < count:
            entry = self.entries[self.done]
            self.files[entry.name].apply(entry)
            self.done += 1

    def write_image(self, path, dice, kept):
        """Returns what the files hold, by their suffix, after writing them to path, path-wal, ..."""
        for name, file in self.files.items():
            image = file.cut(dice, kept)
            if image is not None:
                with open(path + name, "wb") as out:
                    out.write(image)
