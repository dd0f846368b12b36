"""What the training commands say about themselves, each with an example."""

DESCRIPTIONS = {
    "explain": "Print what a run would do. Example: resnet-zoo explain --config r50_imagenet --trainer.devices 8",
    "fit": "Train a classifier. Example: resnet-zoo fit --config quickstart --trainer.max_epochs 3",
    "validate": "Score a checkpoint on the validation split. Example: resnet-zoo validate --config "
    "runs/quickstart/1/config.yaml --ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
    "test": "Score a checkpoint on the test split. Example: resnet-zoo test --config runs/quickstart/1/config.yaml "
    "--ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
    "predict": "Write the five likeliest classes of every image to predictions.csv. Example: resnet-zoo predict "
    "--config runs/quickstart/1/config.yaml --ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
}
