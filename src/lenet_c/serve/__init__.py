"""`lenet-c serve`: `server` accepts connections, `connection` speaks HTTP within limits, `answers`
reads the image of a request.
"""
