"""Images of every kind that users have, as pixels of 8 bits."""

import io
import struct
import zlib

import numpy as np
import pytest
from hostile import png_chunk
from PIL import Image

from diffeo_stability import InputError, load_images
from diffeo_stability.data.decoding import decode, frames_in

COLOURS = np.random.default_rng(0).integers(256, size=(4, 4, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **settings):
    content = io.BytesIO()
    image.save(content, kind, **settings)
    return content.getvalue()


def pixels_of(image, kind="PNG", **settings):
    """What is read of an image that was saved so."""
    return decode(encoded(image, kind, **settings), "a", None).pixels


def save_in_one_folder(folder, image, name, **settings):
    folder.mkdir(exist_ok=True)
    image.save(folder / name, **settings)
    return folder


def test_greys_of_16_bits_and_floats_are_scaled(tmp_path):
    ramp = np.linspace(0, 1, 16).reshape(4, 4)
    expected = np.round(ramp * 255) / 255
    deep = Image.fromarray(np.round(ramp * 65535).astype(np.uint16))
    for name, image in (
        ("a.png", deep),
        ("b.tif", Image.fromarray(ramp.astype(np.float32))),
        ("c.tif", Image.fromarray((255 * ramp).astype(np.float32))),
    ):
        images = load_images(save_in_one_folder(tmp_path / name, image, name))
        np.testing.assert_allclose(images[0, 0].numpy(), expected, atol=1e-6)
    wrong = save_in_one_folder(tmp_path / "wrong", Image.fromarray((1000 * ramp).astype(np.float32)), "d.tif")
    with pytest.raises(InputError, match=r"d.tif is no image that can be read \(pixels from 0 to 1000"):
        load_images(wrong)
    for kind in (np.uint16, np.int32):
        dark = save_in_one_folder(tmp_path / "dark", Image.fromarray((255 * ramp).astype(kind)), "e.tif")
        with pytest.raises(InputError, match="pixels up to 255 of 65535, which are all black: save them with 8 bits"):
            load_images(dark)


def test_greys_of_16_bits_are_read_in_either_order_of_bytes():
    values = np.arange(256, dtype=">u2").reshape(16, 16) * 257
    big = Image.frombytes("I;16B", (16, 16), values.astype(">u2").tobytes())
    assert np.array_equal(pixels_of(big, "TIFF")[0].ravel(), np.arange(256))


def test_greys_of_fewer_bits_in_files_of_16_are_named_once(tmp_path, caplog):
    """One dark image among brighter ones is just dark."""
    for number, largest in enumerate((900, 4095, 1000)):
        deep = Image.fromarray(np.linspace(0, largest, 16).reshape(4, 4).astype(np.uint16))
        folder = save_in_one_folder(tmp_path / "a", deep, f"{number}.png")
    assert load_images(folder).max() == pytest.approx(16 / 255)
    assert caplog.messages == [
        f"{folder}: no grey image of 16 bits goes beyond 4095 of 65535 (1.png): they are dark; if that is white, scale their "
        "values to 16 bits"
    ]
    caplog.clear()
    save_in_one_folder(folder, Image.fromarray(np.full((4, 4), 40_000, np.uint16)), "9.png")
    load_images(folder)
    assert not caplog.messages


def test_floats_have_one_white_in_all_images(tmp_path):
    for name, largest in (("a.tif", 0), ("b.tif", 200)):
        folder = save_in_one_folder(tmp_path / "a", Image.fromarray(np.full((4, 4), largest, np.float32)), name)
    assert load_images(folder)[:, 0, 0, 0].tolist() == pytest.approx([0, 200 / 255])
    save_in_one_folder(folder, Image.fromarray(np.full((4, 4), 0.9, np.float32)), "dark.tif")
    with pytest.raises(
        InputError, match=r"numbers of dark.tif lie between 0 and 1, those of b.tif go beyond: which is"
    ):
        load_images(folder)


def opaque_half(image):
    """The same with its upper half, and with nothing but hidden colours in the lower one."""
    alpha = Image.new("L", image.size, 0)
    alpha.paste(255, (0, 0, image.width, image.height // 2))
    image = image.copy()
    image.putalpha(alpha)
    return image


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_transparent_pixels_are_white(mode):
    image = Image.fromarray(COLOURS).convert(mode)
    expected = pixels_of(image)
    assert np.array_equal(pixels_of(opaque_half(image))[:, :2], expected[:, :2])
    assert (pixels_of(opaque_half(image))[:, 2:] == 255).all()
    image.putalpha(128)
    between = 255 - (255 - expected.astype(float)) * 128 / 255
    np.testing.assert_allclose(pixels_of(image), between, atol=1)


def test_colours_that_stand_for_nothing_are_white():
    """In palettes, and where one colour of an image is named as the transparent one."""
    flat = Image.fromarray(np.repeat(np.array([[10], [200]], np.uint8), 2, axis=1))
    assert pixels_of(flat, transparency=10).tolist() == [[[255, 255], [200, 200]]]
    drawn = Image.frombytes("P", (2, 1), bytes([0, 1]))
    drawn.putpalette([9, 8, 7, 30, 20, 10])
    for kind in ("PNG", "GIF"):
        assert pixels_of(drawn, kind)[:, 0].T.tolist() == [[9, 8, 7], [30, 20, 10]]
        assert pixels_of(drawn, kind, transparency=0)[:, 0].T.tolist() == [[255, 255, 255], [30, 20, 10]]
    translucent = pixels_of(drawn, transparency=bytes([255, 0]))
    assert translucent[:, 0].T.tolist() == [[9, 8, 7], [255, 255, 255]]


def test_palettes_of_greys_are_grey():
    greys = Image.frombytes("P", (2, 2), bytes([0, 1, 2, 1]))
    greys.putpalette([200, 200, 200, 7, 7, 7, 90, 90, 90])
    for kind in ("PNG", "GIF"):
        assert pixels_of(greys, kind).tolist() == [[[200, 7], [90, 7]]]


def test_colours_of_print_are_those_of_the_screen():
    inks = [(0, 0, 0, 0), (255, 255, 0, 0), (0, 0, 0, 255)]
    printed = Image.frombytes("CMYK", (3, 1), bytes(sum(inks, ())))
    assert pixels_of(printed, "TIFF")[:, 0].T.tolist() == [[255, 255, 255], [0, 0, 255], [0, 0, 0]]


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (5, lambda pixels: pixels.T),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (7, lambda pixels: np.rot90(pixels, 2).T),
        (8, np.rot90),
    ],
)
def test_images_stand_upright_as_their_camera_says(orientation, upright):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    turned = Image.Exif()
    turned[0x0112] = orientation
    assert np.array_equal(pixels_of(Image.fromarray(pixels), exif=turned)[0], upright(pixels))


def test_of_several_frames_the_first_is_read_and_that_is_said_once(tmp_path, caplog):
    first, *more = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in (10, 100, 200)]
    kinds = {"a.gif": {}, "b.webp": {"lossless": True}, "c.png": {}, "d.tif": {}, "e.jpg": {"format": "MPO"}}
    for name, settings in kinds.items():
        folder = save_in_one_folder(tmp_path / "a", first, name, save_all=True, append_images=more, **settings)
    images = load_images(folder)
    assert images[:, 0].max() < 20 / 255
    assert caplog.messages == [f"{folder}: only the first frame is read: a.gif (3 frames), b.webp, c.png and 1 more"]


def test_frames_of_what_is_large_or_damaged_are_not_counted():
    animation = encoded(Image.new("L", (4, 4), 9), "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 1)])
    assert frames_in(animation) == 2
    assert frames_in(animation + bytes(2**23)) == frames_in(b"damaged") == "several"


def png(depth, colour_type, row, *chunks):
    """An image of one row, which Pillow does not write itself."""
    header = struct.pack(">IIBBBBB", len(row) * 8 // depth // {0: 1, 4: 2}[colour_type], 1, depth, colour_type, 0, 0, 0)
    parts = png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", zlib.compress(b"\0" + row)), png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "levels"),
    [
        (png(16, 0, struct.pack(">3H", 257, 2570, 65535), png_chunk(b"tRNS", struct.pack(">H", 257))), [255, 10, 255]),
        (png(4, 0, b"\x12", png_chunk(b"tRNS", struct.pack(">H", 1))), [255, 34]),
        (png(2, 0, b"\x1b", png_chunk(b"tRNS", struct.pack(">H", 2))), [0, 85, 255, 255]),
        (png(16, 4, struct.pack(">4H", 2570, 65535, 2570, 0)), [10, 255]),
    ],
    ids=["16 bits", "4 bits", "2 bits", "16 bits each"],
)
def test_greys_of_any_depth_stay_grey_on_white(content, levels):
    assert decode(content, "a", None).pixels.tolist() == [[levels]]


def tiff(values, photometric=1):
    """A grey image, whose sign and meaning of zero Pillow does not write."""
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries = {256: values.shape[1], 257: 1, 258: 8 * values.itemsize, 259: 1, 262: photometric, 273: 8, 277: 1}
    entries |= {278: 1, 279: values.nbytes, 339: kind}
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data + struct.pack("<H", len(entries)) + tags + bytes(4)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_where_zero_is_white_images_are_no_negatives(kind):
    largest = 1 if kind is np.float32 else np.iinfo(kind).max
    for photometric, expected in ((1, [0, 255]), (0, [255, 0])):
        image = tiff(np.array([[0, largest]], kind), photometric)
        assert decode(image, "a", None).pixels.tolist() == [[expected]]


@pytest.mark.parametrize(
    ("kind", "said"), [(np.int8, "8 bits with a sign"), (np.float64, "pixels that Pillow does not know, such as of 64")]
)
def test_pixels_that_mean_nothing_clear_are_named(kind, said):
    with pytest.raises(InputError, match=f"a is no image that can be read .*{said}"):
        decode(tiff(np.array([[-100, 100]], kind)), "a", None)
