"""Opponents that convolve."""

from linewise.models.convolutional import cnn as cnn
from linewise.models.convolutional import convnext as convnext
from linewise.models.convolutional import lenet as lenet
from linewise.models.convolutional import plain as plain
from linewise.models.convolutional import resnet as resnet
