"""Boxes and masks painted onto images."""

from __future__ import annotations

import numpy as np

from engine.vision.annotated.painting import class_colour, with_boxes, with_mask

GREY = np.full((6, 8, 3), 100, np.uint8)


def test_a_box_is_its_outline_in_the_colour_of_its_class() -> None:
    painted = with_boxes(GREY, [[1, 2, 5, 6]], [3])
    changed = (painted != GREY).any(2)
    expected = np.zeros((6, 8), bool)
    expected[2:6, 1:5] = True
    expected[3:5, 2:4] = False
    assert (changed == expected).all()
    assert (painted[expected] == class_colour(3)).all()
    assert (GREY == 100).all(), "the image itself stays"


def test_what_lies_outside_of_the_image_is_cut_off() -> None:
    painted = with_boxes(GREY, [[-3, -3, 20, 20]], [0])
    assert (painted == GREY).all()
    assert (with_boxes(GREY, [[5, 1, 20, 3]], [0])[1, 5:] == class_colour(0)).all()


def test_a_mask_is_laid_over_all_but_the_background_and_ignored_pixels() -> None:
    mask = np.zeros((6, 8), np.uint8)
    mask[0, 0], mask[0, 1] = 2, 255
    painted = with_mask(GREY, mask)
    assert (painted != GREY).any(2).sum() == 1
    expected = [round((100 + part) / 2) for part in class_colour(2)]
    assert np.abs(painted[0, 0].astype(int) - expected).max() <= 1
    everywhere = with_mask(GREY, mask, background=None)
    assert (everywhere[0, 1] == GREY[0, 1]).all()
    assert (everywhere[5, 5] != GREY[5, 5]).any()


def test_classes_have_colours_far_apart() -> None:
    colours = np.array([class_colour(number) for number in range(8)], float)
    apart = np.abs(colours[:, None] - colours[None]).sum(2) + 1000 * np.eye(8)
    assert apart.min() > 60
