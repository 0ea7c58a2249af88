"""What the bundle runs first. As little as possible is imported before it is known what is to be run."""

import sys

from chatnode import bundle

if not bundle.start(sys.argv):
    from chatnode.__main__ import main

    main()
