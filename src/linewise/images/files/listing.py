"""Which image files a folder holds, by split and class; oddities are found before anything is decoded."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from linewise.foundations.amounts import count
from linewise.foundations.errors import DataError
from linewise.images.checking.findings import Findings, listed
from linewise.images.files.decode import SUFFIXES
from linewise.images.files.entries import Files, shown

MAX_DEPTH = 32
JUNK = re.compile(r"thumbs\.db|desktop\.ini|\..*|__macosx|icon\r|@eadir|lost\+found", re.I)
"""What file managers leave behind."""
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  ")
_CLASS_FOLDERS = "one folder per class, with its images inside, such as cat/1.png and dog/1.png"


@dataclass(frozen=True)
class Group:
    """Files of one class in one split: where they stand in the list of all files."""

    split: str
    class_name: str
    start: int
    stop: int


@dataclass
class Listing:
    """Image files, split after split and class after class; all under `train` where the folder has no splits."""

    root: Path
    files: Files = field(default_factory=Files)
    groups: list[Group] = field(default_factory=list)


def list_images(root: Path, findings: Findings) -> Listing:
    """All image files under class folders, with or without folders of splits above them.

    Raises:
        DataError: no class folders, an empty one, one class only, links in a circle, special files, no permission.
    """
    walker = _Walker(root, findings)
    folders = walker.folders(root)
    by_split: dict[str, Path] = {}
    others: list[str] = []
    for folder in folders:
        split = SPLIT_NAMES.get(folder.name.lower())
        if split is None:
            others.append(folder.name)
        elif split in by_split:
            raise DataError(
                f"two folders for the {split} images: {by_split[split].name} and {folder.name}",
                where=str(root),
                expected="one",
            )
        else:
            by_split[split] = folder
    listing = Listing(root)
    if not by_split:
        walker.classes(root, "train", listing)
    elif "train" not in by_split:
        raise DataError(
            f"a folder {', '.join(folder.name for folder in by_split.values())}, but no folder train",
            where=str(root),
            expected="train/CLASS/…, and beside it validation and test if there are such images",
            mend="rename the folder of the training images to train, or name the class folders' own parent",
        )
    else:
        if others:
            findings.warn("ignored", f"folders beside train, left out: {listed(others)}")
        for split in ("train", "validation", "test"):
            if split in by_split:
                walker.classes(by_split[split], split, listing)
    walker.report()
    return listing


class _Walker:
    def __init__(self, root: Path, findings: Findings) -> None:
        self.root, self.findings = root, findings
        self._prefix = os.path.join(root, "")  # of each path that scanning gives; pathlib is slow a million times
        self.junk: dict[str, None] = {}
        self.strange: dict[str, None] = {}
        self.nested: dict[str, None] = {}

    def classes(self, folder: Path, split: str, listing: Listing) -> None:
        """Add the image files of a split, class by class."""
        folders = self.folders(folder)
        if not folders:
            loose = any(is_image(Path(e.path)) for e in self._scan(folder))
            raise DataError(
                "holds images, but no class folders" if loose else "holds no class folders",
                where=str(folder),
                expected=_CLASS_FOLDERS,
                mend="sort the images into one folder per class" if loose else "",
            )
        files = listing.files
        for path in folders:
            if not _is_text(path.name):
                raise DataError(
                    "the name of this class folder is not text in UTF-8",
                    where=shown(str(path)),
                    expected="a name that can be printed",
                    mend="rename the folder",
                )
            start = len(files)
            self.images(path, (os.path.realpath(folder),), files)
            if len(files) == start:
                raise DataError(
                    "holds no images",
                    where=str(path),
                    expected="images of this class",
                    mend="add some, or remove it",
                )
            listing.groups.append(Group(split, path.name, start, len(files)))
        if len(folders) < 2:
            only = folders[0]
            deeper = [p.name for p in self.folders(only)]
            raise DataError(
                f"one class only, {only.name!r}",
                where=str(folder),
                expected="at least two class folders",
                mend=f"did you mean {only}?" if len(deeper) > 1 else "add a folder of images of another class",
            )

    def folders(self, folder: Path) -> list[Path]:
        """Folders in `folder`, without what file managers leave; loose files are noted."""
        found = []
        for entry in self._scan(folder):
            if JUNK.fullmatch(entry.name):
                self._note(self.junk, entry.path)
            elif is_folder(entry):
                found.append(Path(entry.path))
            else:
                self._regular(entry)
                self._note(self.strange, entry.path)
        return found

    def images(self, folder: Path, above: tuple[str, ...], files: Files) -> None:
        """Add the image files in a class folder and the folders below it."""
        real = os.path.realpath(folder)
        if real in above or len(above) > MAX_DEPTH:
            found = (
                "leads back to a folder above it" if real in above else f"lies more than {MAX_DEPTH} folders deep"
            )
            raise DataError(
                found, where=str(folder), expected=_CLASS_FOLDERS, mend="remove the link or the folder"
            )
        items = self._scan(folder)[::-1]
        while items:
            item = items.pop()  # each keeps what the system says of its file, which is let go with it
            if JUNK.fullmatch(item.name):
                self._note(self.junk, item.path)
            elif is_folder(item):
                before = len(files)
                self.images(Path(item.path), (*above, real), files)
                if len(files) > before:
                    self._note(self.nested, item.path)
            else:
                status = self._regular(item)
                if os.path.splitext(item.name)[1].lower() in SUFFIXES or is_image(Path(item.path)):
                    files.append(self._relative(item.path), status.st_size, status.st_mtime_ns)
                else:
                    self._note(self.strange, item.path)

    def _scan(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except PermissionError:
            raise DataError(
                "may not be read (permission denied)", where=str(folder), mend="check the folder's permissions"
            ) from None
        except OSError as error:
            raise DataError(f"cannot be listed ({error.strerror})", where=str(folder)) from None

    def _regular(self, entry: os.DirEntry[str]) -> os.stat_result:
        try:
            status = entry.stat()
        except FileNotFoundError:
            raise DataError(
                "is a link to a file that does not exist",
                where=entry.path,
                expected="image files",
                mend="remove it",
            ) from None
        except OSError:
            raise DataError(
                "is a symbolic link that leads to itself",
                where=entry.path,
                expected="image files",
                mend="remove it",
            ) from None
        if not stat.S_ISREG(status.st_mode):
            raise DataError(
                "is not a regular file (a pipe, socket or device)",
                where=entry.path,
                expected="image files",
                mend="remove it",
            )
        return status

    def _relative(self, path: str) -> str:
        return path.removeprefix(self._prefix).replace(os.sep, "/")

    def _note(self, names: dict[str, None], path: str) -> None:
        names[shown(self._relative(path))] = None

    def report(self) -> None:
        """Warn of what was left out."""
        if self.junk:
            self.findings.warn(
                "junk", f"{count(len(self.junk), 'file')} of file managers left out: {listed(list(self.junk))}"
            )
        if self.strange:
            names = listed(list(self.strange))
            text = f"{count(len(self.strange), 'file')} left out, no images in class folders: {names}"
            self.findings.warn("not_images", text)
        if self.nested:
            text = f"images in folders inside class folders belong to the outer class: {listed(list(self.nested))}"
            self.findings.warn("nested", text)


def _is_text(name: str) -> bool:
    """Whether the bytes of a name are UTF-8."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_image(path: Path) -> bool:
    """Whether the first bytes are those of an image; for names that do not say so."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_MAGIC) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")
