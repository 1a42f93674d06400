"""RTSP servers for tests: `rtsp_server.py PORT [PASSWORD [CLIP LOG]]`, run by the system's Python, which has
GStreamer.

On PORT: /plain, 320×240 at 30 frames/s, and /sound, without video. On PORT + 1: /secret, the same video for
the user `me` with the password. With CLIP, a folder of H.264 access units as one file each, these are on both
ports as /clip, again and again as a camera would give them, and each that leaves is a line in LOG: the time
(CLOCK_MONOTONIC) and its number.
"""

import itertools
import os
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

VIDEO = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)
CLIP = (
    "( appsrc name=camera is-live=true format=time do-timestamp=true "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au,framerate=30/1 "
    "! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
INTERVAL_S = 1 / 30
LATEST_S = 0.1  # so that a camera that was held up does not make up for it
SOUND = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 )"


def serve(port, streams):
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(port))
    for path, launch in streams.items():
        factory = GstRtspServer.RTSPMediaFactory(launch=launch, shared=True)
        server.get_mount_points().add_factory(path, factory)
    return server


def play(camera, pictures, log):
    """Give one picture after the other until the stream is torn down."""
    due_s = time.monotonic()
    for number in itertools.cycle(range(len(pictures))):
        time.sleep(max(0.0, due_s - time.monotonic()))
        due_s = max(due_s + INTERVAL_S, time.monotonic() - LATEST_S)
        os.write(log, f"{time.monotonic():.6f} {number}\n".encode())
        if camera.emit("push-buffer", Gst.Buffer.new_wrapped(pictures[number])) != Gst.FlowReturn.OK:
            return


def serve_clip(server, pictures, log):
    def configured(_, media):
        camera = media.get_element().get_by_name("camera")
        thread = threading.Thread(target=play, args=(camera, pictures, log), daemon=True)

        def wanted(*_):
            if thread.ident is None:
                thread.start()

        camera.connect("need-data", wanted)

    factory = GstRtspServer.RTSPMediaFactory(launch=CLIP, shared=True)
    factory.connect("media-configure", configured)
    server.get_mount_points().add_factory("/clip", factory)


def guard(server, path, password):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("me", password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    server.get_mount_points().match(path)[0].set_permissions(permissions)


Gst.init(None)
port, password = int(sys.argv[1]), (*sys.argv[2:], "p@ss/1")[0]
servers = [serve(port, {"/plain": VIDEO, "/sound": SOUND}), serve(port + 1, {"/secret": VIDEO})]
guarded = ["/secret"]
if len(sys.argv) > 3:
    pictures = [path.read_bytes() for path in sorted(Path(sys.argv[3]).glob("*.h264"))]
    log = os.open(sys.argv[4], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for server in servers:
        serve_clip(server, pictures, log)
    guarded.append("/clip")
for path in guarded:
    guard(servers[1], path, password)
for server in servers:
    server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
