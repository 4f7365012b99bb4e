"""Sockets, serial ports and the clock for machines that have neither.

A `Driver` is an asyncio protocol: whatever transport it is connected to, it feeds the machine with
bytes and the loop's time, and sends what the machine wants sent, when it wants it sent.
"""

from .driver import CallingDriver, Driver
from .machine import Conversing, FrameMachine, Machine
from .memory import connect_memory
from .pty import Pty, serve_pty
from .serial import connect_serial
from .tcp import TcpServer, connect_tcp, serve_tcp
from .udp import FrameDriver, open_udp

__all__ = [
    "CallingDriver",
    "Conversing",
    "Driver",
    "FrameDriver",
    "FrameMachine",
    "Machine",
    "Pty",
    "TcpServer",
    "connect_memory",
    "connect_serial",
    "connect_tcp",
    "open_udp",
    "serve_pty",
    "serve_tcp",
]
