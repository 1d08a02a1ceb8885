"""The VTube Studio client: its protocol, permission, discovery, hotkeys and custom parameters.

https://github.com/DenchiSoft/VTubeStudio describes the API.
"""
