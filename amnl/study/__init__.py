"""What only this book needs: its published rows, its figures, and the code that judges its claims.

`amnl.study.rows` are the tables that everything here reads. Of them `claims` makes verdicts,
`figures` pictures, `html_table` tables and `explorables` what a reader can play with.
`machines` says how far two machines agree on a number of a page, `bench` times the package beside
plain code, and `shared_regression` is the model of chapter 2.
"""
