"""Face reading measured against what is known: labelled crops, clips with a teacher, no faces at all."""
