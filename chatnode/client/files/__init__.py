"""Files of the node, over HTTP: imported when a client transfers its first one, as httpcore2 is not small.

upload   download        how files travel
  │  └ tus    │          what to send next, and what an answer means
  │           │
 sources  retrying       what is read from; when to try again, and when to give up
              │
            http         requests to the node, signed in
"""
