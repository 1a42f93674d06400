"""RTSP servers for tests, run by the system's Python, which has GStreamer: `rtsp_server.py PORT`.

On PORT: /plain, 320×240 at 30 frames/s, and /sound, without video. On PORT + 1: /secret, the same video for
the user `me` with the password `p@ss/1`.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

VIDEO = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)
SOUND = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 )"


def serve(port, streams):
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=str(port))
    for path, launch in streams.items():
        factory = GstRtspServer.RTSPMediaFactory(launch=launch, shared=True)
        server.get_mount_points().add_factory(path, factory)
    return server


def guard(server, path):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("me", "p@ss/1"), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    server.get_mount_points().match(path)[0].set_permissions(permissions)


Gst.init(None)
servers = [
    serve(int(sys.argv[1]), {"/plain": VIDEO, "/sound": SOUND}),
    serve(int(sys.argv[1]) + 1, {"/secret": VIDEO}),
]
guard(servers[1], "/secret")
for server in servers:
    server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
