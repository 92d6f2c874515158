"""The vocabulary of the fake model, as phrases that make readable sentences whatever is drawn.

Every list has 32 entries, so five bits draw one. Each phrase begins with a space, which begins a token: the tokens of
a text are the tokens of its phrases. Some phrases carry accents, ideographs, emoji and joined emoji on purpose, because
a client that only ever met ASCII has not been tested.
"""

from __future__ import annotations

SUBJECTS = (
    " the quiet robot", " a patient engineer", " the café owner", " an old lighthouse", " the night train",
    " a small model", " the careful reader", " our scheduler", " the green parrot", " a curious child",
    " the naïve client", " this garden", " the server", " a distant signal", " the librarian",
    " one honest mock", " the river", " a grey cat", " the weather", " every token", " the 日本 team",
    " a clever fox", " the captain", " an empty queue", " the astronaut 👩‍🚀", " a busy bridge",
    " the Zürich office", " my neighbour", " the first answer", " a warm wind", " the clock", " a silver key",
)  # fmt: skip
VERBS = (
    " writes", " carries", " remembers", " watches", " paints", " repairs", " follows", " counts", " discovers",
    " describes", " measures", " returns", " explains", " finds", " waits for", " listens to", " brings",
    " shares", " studies", " opens", " translates", " guards", " sketches", " borrows", " collects", " admires",
    " answers", " keeps", " sorts", " questions", " polishes", " understands",
)  # fmt: skip
OBJECTS = (
    " a short story", " the last message", " a bright lantern", " three small stones", " the résumé",
    " an open letter", " the missing word", " a paper boat", " the map", " a cup of tea ☕", " its own shadow",
    " the long road", " a quiet song", " the broken wheel", " 42 reasons", " a simple rule",
    " the morning light", " an unusual pattern", " the word 言葉", " a blue notebook", " the harvest",
    " a piece of bread", " the second draft", " some good news 😀", " the whole truth", " a list of names",
    " the old harbour", " a careful plan", " the señor's hat", " an echo", " the smallest detail",
    " a new beginning",
)  # fmt: skip
PLACES = (
    " in the garden", " before sunrise", " near the river", " without a sound", " at the station",
    " for a while", " under the stars ✨", " in København", " with great care", " after the rain",
    " on the third floor", " behind the curtain", " at noon", " across the valley", " every Tuesday",
    " by candlelight", " in two minutes", " beside the fire", " far from home", " once more", " in the library",
    " on a winter evening", " at the edge of town", " under the bridge", " during the night",
    " along the coast", " in perfect order", " with a smile 🙂", " between two towers", " as always",
    " over the hills", " until the end",
)  # fmt: skip
ENDINGS = (".", ".", ".", ".", ".", ",", ",", ";")
"""What stands behind a sentence: mostly a full stop."""
LINKS = (" and", " while", " because", " so")
"""How a sentence goes on behind a comma or semicolon."""
