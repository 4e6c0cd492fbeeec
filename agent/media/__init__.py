"""The media plane: a call's audio, in and out, beside its frame pipeline.

A packet is taken apart in the callback that brings its datagram and its sound goes on by direct call; what is said to
the caller leaves on one timer. Only events, transcripts and speech that is to be spoken travel through the pipeline.
"""
