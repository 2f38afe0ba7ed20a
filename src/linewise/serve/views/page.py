"""What there is to show: the models, and what they read."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from linewise.foundations.records import Family
from linewise.models.network import NETWORKS
from linewise.serve.desk import Desk, Served
from linewise.serve.routes import ALWAYS, refusals

router = APIRouter(responses=refusals(*ALWAYS))


class PageModel(BaseModel):
    """A model as the page offers it.

    Attributes:
        study: name of the folder of its study; empty where it is from none.
        network: name of its architecture.
        family: such as `recurrent` or `convolutional`.
        channels: 1 where it reads grey pictures, 3 where it reads colour.
        parameters: trained numbers.
    """

    name: str
    study: str
    network: str
    family: Family
    class_names: list[str]
    height: int
    width: int
    channels: int
    parameters: int


class Page(BaseModel):
    """All of them, in the order they were given to the server.

    Attributes:
        teach: whether networks can be taught here.
    """

    models: list[PageModel]
    teach: bool


@router.get("/v1/page")
async def page(request: Request) -> Page:
    """The models that the page offers."""
    desk: Desk = request.app.state.desk
    return Page(models=[told(served) for served in desk.models.values()], teach=request.app.state.settings.teach)


def told(served: Served) -> PageModel:
    """A model as the page offers it."""
    preprocessing = served.answerer.preprocessing
    network = served.saved.network
    return PageModel(
        name=served.name,
        study=served.study.name if served.study else "",
        network=network.config.name,
        family=network.family or NETWORKS[network.config.name].family,
        class_names=served.answerer.class_names,
        height=preprocessing.height,
        width=preprocessing.width,
        channels=preprocessing.channels,
        parameters=sum(each.numel() for each in network.parameters()),
    )
