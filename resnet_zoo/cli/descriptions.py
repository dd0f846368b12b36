"""What the training commands say about themselves, each with an example."""

DESCRIPTIONS = {
    "explain": "Print what a run would do. With --measure also the hours it would take, from a few "
    "steps on this device. Example: resnet-zoo explain --config r50_imagenet --trainer.devices 8",
    "fit": "Train a classifier. Example: resnet-zoo fit --config quickstart --trainer.max_epochs 3",
    "validate": "Score a checkpoint on the validation split. Example: resnet-zoo validate --config "
    "runs/quickstart/1/config.yaml --ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
    "test": "Score a checkpoint on the test split. Example: resnet-zoo test --config runs/quickstart/1/config.yaml "
    "--ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
    "predict": "Write the five likeliest classes of every image to predictions.csv. Example: resnet-zoo predict "
    "--config runs/quickstart/1/config.yaml --ckpt_path runs/quickstart/1/checkpoints/best.ckpt",
}

# Settings of the trainer that the run owns, with what to set instead.
OWNED_TRAINER_KEYS = {
    "logger": "Choose with the top-level key 'logger' (wandb, tensorboard or none); metrics.csv is always written.",
    "default_root_dir": "Choose the run directory with the top-level key 'run_dir'.",
    "use_distributed_sampler": "The data module splits its samples over the ranks exactly, as Lightning's would not.",
    "enable_checkpointing": "Checkpoints are set with the top-level key 'checkpoint'.",
    "reload_dataloaders_every_n_epochs": "The loaders reshuffle every epoch by themselves.",
}
