"""A small street: one transformer, one cable, nine homes."""

from pathlib import Path

import pytest

FILES = {
    "nodes.csv": "node,nominal_v\nmv,6350.853\nbar,239.6\nnear,239.6\nfar,239.6\n",
    "line_types.csv": (
        "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a\nmain,0.32,0.08,1.2,0.1,160\n"
    ),
    "lines.csv": (
        "line_id,from_node,to_node,phases,length_m,line_type,normally_open\n"
        "L1,bar,near,abc,240,main,no\nL2,near,far,abc,240,main,no\n"
    ),
    "transformers.csv": (
        "transformer_id,hv_node,lv_node,phases,connection,kva,hv_v,lv_v,r_percent,x_percent\n"
        "T1,mv,bar,abc,Dyn11,35,11000,415,1.8,3.6\n"
    ),
    "source.csv": "node,v_pu\nmv,1.0\n",
    "connections.csv": "connection_id,node,phases\n"
    + "".join(f"H{k},{'near' if k % 2 else 'far'},{'abc'[k % 3]}\n" for k in range(1, 10)),
    "feeder.toml": 'name = "Nine homes"\n',
}


@pytest.fixture(scope="session")
def nine_homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a feeder small enough to be played in seconds."""
    folder = tmp_path_factory.mktemp("nine-homes")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
