"""The tracker: what every process knows of who is present in all of them. Pure: values in, values out, `now` given.

A delta-state add-wins set with causal context, after Almeida, Shoker and Baquero, "Delta state replicated data types"
(J. Parallel Distrib. Comput. 111, 2018), shaped by Phoenix.Tracker (Elixir). Read `delta`, `state`, `tracker`.
"""
