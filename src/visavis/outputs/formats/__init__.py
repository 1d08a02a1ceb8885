"""One module for each output format; the module's name is the scheme of its addresses.

Such a module has a function ``connect(address: Address) -> Connection``. The first line of its docstring says
what the format is and who receives it; help texts and the page show this line.
"""
