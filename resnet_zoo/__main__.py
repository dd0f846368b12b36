"""``python -m resnet_zoo`` is the command ``resnet-zoo``."""

import sys

from resnet_zoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
