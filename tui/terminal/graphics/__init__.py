"""Pictures by the graphics of the terminal, painted among the text of the screens.

A widget shows a picture as cells of text (:mod:`cells`), so Textual cuts, scrolls and covers it
like any other text. On the way to the terminal the cells are replaced by what its protocol takes
(:mod:`stream`): Kitty's placeholders or Sixel graphics.
"""
