/* Replaces the theme's file of this name: 1.5 MB that draw every icon as SVG. Its style sheet has the same icons as a font. */
