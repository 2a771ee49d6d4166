"""The progress bar of training."""

from pytorch_lightning.callbacks import RichProgressBar


class Progress(RichProgressBar):
    """Lightning's, without a number of epochs where steps end the training."""

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts without end as -1 and would show that as -2.
        text: str = super()._get_train_description(current_epoch)
        return text.replace("/-2", "")
