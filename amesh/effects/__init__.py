"""What people build on landmarks: pose, gaze, distance, blendshapes, makeup, puppets.

Functions of NumPy arrays, without state: only `EyeTracker` and `Blendshapes` remember a person.

Landmarks are those of `face478`, of one face (478, 3) or of a batch (b, 478, 3), as `FaceMesh` and
`FaceTracker` return them. Axes, units and signs are in CONVENTIONS.md.
"""
