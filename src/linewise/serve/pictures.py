"""The images of a request, in any of its forms, as a model sees them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import IO, Annotated, Any

import numpy as np
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from starlette.datastructures import UploadFile

from linewise.images.files.decode import decode_quietly, read_header
from linewise.images.preprocessing import Geometry
from linewise.serve.errors import Refused, validation
from linewise.serve.settings import Settings

Value = Annotated[int, Field(ge=0, le=255, strict=True)]
Grey = Annotated[list[Annotated[list[Value], Field(min_length=1)]], Field(min_length=1)]
Colour = Annotated[
    list[Annotated[list[Annotated[list[Value], Field(min_length=3, max_length=3)]], Field(min_length=1)]],
    Field(min_length=1),
]


def _kind(image: Any) -> str:
    """Grey or colour, by the first pixel, so that an error is told of one of them."""
    try:
        return "colour" if isinstance(image[0][0], list) else "grey"
    except (TypeError, IndexError, KeyError):
        return "grey"


Picture = Annotated[Annotated[Grey, Tag("grey")] | Annotated[Colour, Tag("colour")], Discriminator(_kind)]
FIELD = "image"
FORMS = "image/*, multipart/form-data or application/json"


class Pixels(BaseModel):
    """Images as numbers.

    Attributes:
        images: one or more, each rows of pixels from 0 to 255: a number where it is grey, three where it is
            coloured. All rows of an image are of one length. Any size; each is brought to the model's.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    images: list[Picture] = Field(min_length=1)


async def read_pictures(request: Request, geometry: Geometry, settings: Settings) -> np.ndarray:
    """The images of a request, uint8 `NHWC`, at least one.

    Raises:
        Refused: 415 another kind of body; 413 more images or pixels than are taken, from their headers; 400 or
            422 they cannot be read.
    """
    loop, decoders = asyncio.get_running_loop(), request.app.state.decoders
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        if not hasattr(request.state, "json"):  # the guard parses what there is
            raise Refused(400, "Not JSON", "The body is empty.")
        return await loop.run_in_executor(decoders, _from_json, request.state.json, geometry, settings)
    if kind == "multipart/form-data":
        async with request.form(max_files=settings.max_parts, max_fields=settings.max_parts) as form:
            files = [_file(name, part) for name, part in form.multi_items()]
            return await loop.run_in_executor(decoders, _from_files, files, geometry, settings)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return await loop.run_in_executor(
            decoders, _from_files, [io.BytesIO(await request.body())], geometry, settings
        )
    raise Refused(415, "Unknown kind of body", f"Content-Type is to be {FORMS}.")


def _file(name: str, part: UploadFile | str) -> IO[bytes]:
    if name != FIELD or not isinstance(part, UploadFile):
        raise Refused(422, "Not valid", f"Each part is to be a file in the field {FIELD!r}.")
    return part.file


def _from_files(files: Sequence[IO[bytes]], geometry: Geometry, settings: Settings) -> np.ndarray:
    if not files:
        raise Refused(422, "No image", f"Send a file in the field {FIELD!r}.")
    _check_number(len(files), settings)
    pixels = 0
    for number, file in enumerate(files, 1):
        header = read_header(file, settings.max_megapixels)
        if isinstance(header, str):
            raise _unreadable(number, header)
        pixels += header.height * header.width
        file.seek(0)
    _check_pixels(pixels, settings)
    images = []
    for number, file in enumerate(files, 1):
        found = decode_quietly(file, geometry, settings.max_megapixels)
        if isinstance(found, str):
            raise _unreadable(number, found)
        images.append(found.image_HWC)
    return np.stack(images)


def _from_json(body: Any, geometry: Geometry, settings: Settings) -> np.ndarray:
    if isinstance(body, dict) and isinstance(body.get("images"), list):
        _check_number(len(body["images"]), settings)
    try:
        images = Pixels.model_validate(body).images
    except ValidationError as error:
        raise Refused(422, "Not valid", validation(error.errors(include_url=False, include_input=False))) from None
    _check_pixels(sum(len(image) * len(image[0]) for image in images), settings)
    found = []
    for number, image in enumerate(images, 1):
        if len({len(row) for row in image}) > 1:
            raise Refused(422, "Not valid", f"Image {number} has rows of different lengths.")
        array = np.array(image, dtype=np.uint8)
        array_NHWC = array.reshape(1, *array.shape[:2], -1)
        found.append(geometry.conform(array_NHWC))
    return np.concatenate(found)


def _check_number(number: int, settings: Settings) -> None:
    if number > settings.max_images:
        raise Refused(413, "Too many images", f"A request may have {settings.max_images}.")


def _check_pixels(pixels: int, settings: Settings) -> None:
    if pixels > settings.max_request_megapixels * 1e6:
        limit = f"{settings.max_request_megapixels:g} megapixels"
        raise Refused(413, "Too many pixels", f"The images of a request may have {limit} in sum.")


def _unreadable(number: int, sentence: str) -> Refused:
    if "more than" in sentence or "far too large" in sentence:
        return Refused(413, "Too many pixels", f"Image {number} {sentence}.")
    return Refused(422, "Not an image", f"Image {number} {sentence}.")
