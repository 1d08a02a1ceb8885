"""The page's frames per second, and milliseconds from a sent to a drawn frame, with a clip as the camera.

    python benchmarks/page.py CLIP.mp4 --out benchmarks/results/page.json --screenshot page.png

Starts ``visavis serve`` and headless Chromium on this computer, so both share its cores, as for a real
user. Needs ``playwright`` (in the extra ``dev``), Chromium and the ``ffmpeg`` command.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from visavis.base.files import json_text, write_json
from visavis.base.machine import machine, versions

WARM_UP_S = 5.0
DRAW_S = 4.0
# How often a second the avatar alone is drawn at 1920 x 1080, in motion; the camera's work goes on beside it.
DRAW = f"""async () => {{
  const puppet = await (await import("/static/puppet.js")).loadPuppet("/assets/puppet.json");
  const canvas = new OffscreenCanvas(1920, 1080), ink = canvas.getContext("2d"), start = performance.now();
  let count = 0;
  for (; performance.now() - start < {1000 * DRAW_S}; count++) {{
    const wave = (period) => Math.sin(count / period);
    const pose = {{ ParamAngleX: 20 * wave(9), ParamMouthOpenY: Math.abs(wave(5)), ParamBrowLY: wave(13) }};
    puppet.update(pose, count / 30);
    puppet.draw(ink, 1920, 1080);
    ink.getImageData(0, 0, 1, 1); // Waits until it is painted.
  }}
  return count / ((performance.now() - start) / 1000);
}}"""
READ = "() => ({trips: visavisStats.moments, drawn: visavisStats.drawnMs, screen: visavisStats.screenPerS})"


def camera_file(clip: Path, folder: Path) -> Path:
    """The clip as 640 x 480 motion JPEG at 30 frames/s, which Chromium takes for a camera."""
    path = folder / "camera.mjpeg"
    fit = "scale=640:480:force_original_aspect_ratio=decrease,pad=640:480:(ow-iw)/2:(oh-ih)/2"
    command = ["ffmpeg", "-v", "error", "-i", str(clip), "-an", "-vf", fit, "-r", "30", "-q:v", "3"]
    subprocess.run([*command, str(path)], check=True)
    return path


def measure(clip: Path, seconds: float, screenshot: Path | None) -> dict[str, object]:
    """Watch the page for some seconds after a warm-up."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("needs Chromium on the path")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [sys.executable, "-m", "visavis", "serve", "--port", str(port)]
    server = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
            arguments = [
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-video-capture={camera_file(clip, Path(folder))}",
            ]
            browser = driver.chromium.launch(executable_path=chromium, args=arguments)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            page.goto(f"http://127.0.0.1:{port}/")
            page.click("#start")
            while not page.evaluate("visavisStats.moments"):  # The page's policy forbids wait_for_function.
                time.sleep(0.1)
            time.sleep(WARM_UP_S)
            before, start_s = page.evaluate(READ), time.perf_counter()
            time.sleep(seconds)
            after, passed_s = page.evaluate(READ), time.perf_counter() - start_s
            lag_ms = page.evaluate("visavisStats.followLagMs")
            timings_ms = page.evaluate("visavisStats.lastMoment.timings_ms")
            drawn_per_s = page.evaluate(DRAW)
            if screenshot:
                page.screenshot(path=screenshot)
            browser.close()
    finally:
        server.terminate()
        server.wait()
    return {
        "clip": clip.stem,
        "seconds": round(passed_s, 1),
        "round_trips_per_s": round((after["trips"] - before["trips"]) / passed_s, 1),
        "sent_to_drawn_ms": {"p50": round(after["drawn"][0], 1), "p95": round(after["drawn"][1], 1)},
        "smoothing_lag_ms": lag_ms,
        "screen_per_s": round(after["screen"], 1),
        "last_timings_ms": timings_ms,
        "drawings_1080p_per_s": round(drawn_per_s, 1),
    }


def main() -> None:
    """Measure one clip, print the figures and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--screenshot", type=Path)
    args = parser.parse_args()
    result = measure(args.clip, args.seconds, args.screenshot)
    print(json_text(result))
    if args.out:
        write_json(args.out, {"machine": machine(), "versions": versions(), **result})


if __name__ == "__main__":
    main()
