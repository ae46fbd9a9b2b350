"""The ASGI servers' own side: what uvicorn and daphne must do for us that ASGI cannot say."""
