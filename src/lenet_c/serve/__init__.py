"""The page to draw digits on, and its JSON endpoint, over HTTP.

Read `server` first: it accepts connections. `connection` reads the requests of one within limits,
`answers` reads the image in a request.
"""
