"""Face reading measured against what is known: labelled crops, clips beside a teacher, no faces at all."""
