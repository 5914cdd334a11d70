"""What only the pages of the book need: data sets, figures, sliders, tables, experiments and their verdicts."""
