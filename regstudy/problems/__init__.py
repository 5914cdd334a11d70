"""The problems of the stored studies, one module a study: tasks and arms."""
