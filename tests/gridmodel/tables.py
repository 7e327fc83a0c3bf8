"""A feeder as a utility's tables, with every file and column that a folder can have."""

from pathlib import Path

HOURS = range(24)


def rows(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


FILES = {
    "nodes.csv": rows(
        "node,nominal_v,phases,x,y", "mv,6350.853,abc,0,0", *(f"n{k},230.94,abc,{k},0" for k in range(4))
    ),
    "line_types.csv": rows(
        "line_type,r1_ohm_per_km,x1_ohm_per_km,r0_ohm_per_km,x0_ohm_per_km,rating_a", "thin,0.64,0.08,2.4,0.3,120"
    ),
    "lines.csv": rows(
        "line_id,from_node,to_node,length_m,line_type", "L0,n0,n1,20,thin", "L1,n1,n2,150,thin", "L2,n2,n3,150,thin"
    ),
    "transformers.csv": rows(
        "transformer_id,hv_node,lv_node,connection,kva,hv_v,lv_v,r_percent,x_percent,r0_percent,x0_percent,no_load_w,"
        "tap,tap_min,tap_max,tap_step_percent,tap_side",
        "TX,mv,n0,Dyn11,25,11000,400,1.2,4.0,1.1,3.9,100,0,-4,4,2.5,hv",
    ),
    "source.csv": rows("node,v_pu,short_circuit_mva,x_over_r", "mv,1.03,120,5"),
    "switches.csv": rows("switch_id,line_id,state,at", "s1,L2,closed,2020-01-01"),
    "connections.csv": rows("connection_id,node,phases,pv_kva", "h1,n1,b,3", "h2,n2,c,0", "h3,n3,a,0"),
    "devices.csv": rows(
        "device_id,connection_id,type,max_gen_w,max_load_w,s_max_va,device_phases,control_point",
        "d1,h1,pv,3000,0,3000,b,site",
    ),
    "regulators.csv": rows(
        "regulator_id,node,phases,set_v,band_v,ldc_r,ldc_x,pt,ct,mode,measured,tap_min,tap_max,tap_step_percent",
        "r1,n0,abc,230,4,1,1,1,10,forward,positive,-4,4,2.5",
    ),
    "capacitors.csv": rows("capacitor_id,node,phases,kvar,state", "c1,n1,abc,2,closed"),
    "demand_kw.csv": rows("interval,h1,h2,h3", *(f"{k},0.3,0.4,0.5" for k in HOURS)),
    "pv_kw.csv": rows("interval,h1", *(f"{k},0.2" for k in HOURS)),
    "head_voltage.csv": rows(
        "interval,va_v,vb_v,vc_v,va_deg,vb_deg,vc_deg", *(f"{k},6400,6400,6400,0,-120,120" for k in HOURS)
    ),
    "feeder.toml": 'name = "lane"\n',
}


def write(folder: Path) -> Path:
    """The folder, with all of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder
