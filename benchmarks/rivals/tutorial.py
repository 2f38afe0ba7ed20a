"""The PyTorch loop that tutorials teach: one model on MNIST, one JSON line on standard output.

    python benchmarks/rivals/tutorial.py lstm [--seed 0] [--epochs 5] [--images 40000] [--batch-size 64]
                                              [--data FOLDER] [--until 0.985 --at-most 15]

Written after PyTorch's own pages ("Datasets & DataLoaders", "Training with PyTorch") and the MNIST guides that
follow them: a `Dataset` that gives a PIL image turned into a tensor per item, as torchvision's MNIST with
`ToTensor` and `Normalize` does (its lines are repeated here, because torchvision itself is not installed), a
shuffling `DataLoader`, Adam with 1e-3, a line per epoch. Threads, workers of the loader and the rest are PyTorch's
defaults. With `--until`, the test images are recognised after each epoch, in time that is not counted, and
training ends with the first epoch that reaches that accuracy, or after `--at-most` epochs.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from data import arguments, mnist
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class ToTensor:
    """PIL image to float tensor CHW in 0 to 1."""

    def __call__(self, image: Image.Image) -> Tensor:
        tensor = torch.from_numpy(np.array(image, np.uint8, copy=True))
        tensor = tensor.view(image.size[1], image.size[0], len(image.getbands())).permute((2, 0, 1)).contiguous()
        return tensor.to(dtype=torch.get_default_dtype()).div(255)


class Normalize:
    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        self.mean, self.std = mean, std

    def __call__(self, tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        mean = torch.as_tensor(self.mean, dtype=tensor.dtype).view(-1, 1, 1)
        std = torch.as_tensor(self.std, dtype=tensor.dtype).view(-1, 1, 1)
        return tensor.sub_(mean).div_(std)


class MNIST(Dataset):
    def __init__(self, images_NHW: np.ndarray, labels_N: np.ndarray) -> None:
        self.data, self.targets = torch.from_numpy(images_NHW.copy()), torch.from_numpy(labels_N.astype(np.int64))
        self.transforms = [ToTensor(), Normalize((0.1307,), (0.3081,))]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, target = self.data[index], int(self.targets[index])
        image = Image.fromarray(image.numpy())
        for transform in self.transforms:
            image = transform(image)
        return image, target


class Recurrent(nn.Module):
    """A row a step, the last state classified."""

    def __init__(self, layer: type[nn.RNNBase], hidden: int) -> None:
        super().__init__()
        self.rnn = layer(28, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 10)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.rnn(x.reshape(-1, 28, 28))
        return self.fc(out[:, -1, :])


class CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU()
        self.fc1, self.fc2 = nn.Linear(32 * 7 * 7, 48), nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        return self.fc2(self.relu(self.fc1(torch.flatten(x, 1))))


MODELS = {"lstm": lambda: Recurrent(nn.LSTM, 128), "gru": lambda: Recurrent(nn.GRU, 148), "cnn": CNN}


def accuracy(model: nn.Module, loader: DataLoader) -> float:
    correct, seen = 0, 0
    model.eval()
    with torch.no_grad():
        for images, labels in loader:
            correct += (model(images).argmax(1) == labels).sum().item()
            seen += len(labels)
    return correct / seen


def main() -> None:
    began = time.perf_counter()
    chosen = arguments(__doc__, batch_size=64, until=True)
    x_NHW, y_N, test_x_NHW, test_y_N = mnist(chosen.data, chosen.images)
    torch.manual_seed(chosen.seed)
    train_loader = DataLoader(MNIST(x_NHW, y_N), batch_size=chosen.batch_size, shuffle=True)
    test_loader = DataLoader(MNIST(test_x_NHW, test_y_N), batch_size=chosen.batch_size)
    model = MODELS[chosen.model]()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    before_s, epochs_s, epochs_cpu_s, tests_s, accuracies = time.perf_counter() - began, [], [], [], []
    for epoch in range(chosen.at_most if chosen.until else chosen.epochs):
        started, cpu, running_loss = time.perf_counter(), time.process_time(), 0.0
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        epochs_s.append(time.perf_counter() - started)
        epochs_cpu_s.append(time.process_time() - cpu)
        print(f"epoch {epoch + 1}, loss {running_loss / len(train_loader):.4f}", file=sys.stderr)
        if chosen.until or epoch + 1 == chosen.epochs:
            started = time.perf_counter()
            accuracies.append(accuracy(model, test_loader))
            tests_s.append(time.perf_counter() - started)
        if chosen.until and accuracies[-1] >= chosen.until:
            break
    found = {
        "rival": "tutorial",
        "model": chosen.model,
        "seed": chosen.seed,
        "batch_size": chosen.batch_size,
        "images": chosen.images,
        "parameters": sum(p.numel() for p in model.parameters()),
        "before_s": before_s,
        "epochs_s": epochs_s,
        "epochs_cpu_s": epochs_cpu_s,
        "test_s": tests_s[-1],
        "test_accuracy": accuracies[-1],
        "tests_s": tests_s,
        "test_accuracies": accuracies,
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
