"""The server as it is, but for its streams of events: they end soon.

python -m tests.service.fuzz.hasty
"""

from graph.settings import get_settings
from service import watching
from service.server import serve

LIFE_SECONDS = 0.1

if __name__ == "__main__":
    watching.LIFE_SECONDS = LIFE_SECONDS
    watching._TICK_SECONDS = LIFE_SECONDS
    serve(get_settings())
