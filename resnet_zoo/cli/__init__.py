"""The command ``resnet-zoo``: a dispatcher and one file a command."""
