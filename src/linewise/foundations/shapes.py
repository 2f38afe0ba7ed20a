"""The legend of shape letters, for the whole package.

| letter | meaning |
|---|---|
| N | images in a set |
| B | images in a batch |
| C | channels (1 grey, 3 colour) |
| H, W | height and width in pixels |
| T | steps of a sequence |
| D | features of one step |
| U | hidden units of a recurrent layer |
| K | classes |
| R | directions of a recurrent layer (1 or 2) |
| S | seeds |

A tensor or array carries its letters in its name: `x_BTD`, `images_NHWC`, `correct_SN`.
Images rest as uint8 `NHWC` (as Pillow gives them) and enter a network as float32 `BCHW`, channels-last in memory.
"""
