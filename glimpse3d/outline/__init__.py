"""What an outline alone tells of a solid: the rays through it, balls that fit in, turned things.

What reconstructors share; must not know any of them.
"""
