"""The socket: everything between a client's frame and an app's channel. It knows no app.

Read in this order: topic, envelope, codec (and json_codec, binary_codec), outbox, hub, channel, user_socket,
consumer and longpoll (the two transports), pubsub and backplane (one process and several).
"""
