"""Face reading and the avatar measured against what is known: labelled crops, clips, no faces at all."""
