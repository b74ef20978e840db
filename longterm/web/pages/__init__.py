"""Pages for people: what waits for them, how runs stand, and forms to answer and to start.

Each page is made on the server and works without JavaScript; a little of that shows times in the
reader's zone and brings news. `form`, `drawing` and `answer` know no HTTP; `tasks`, `runs` and
`flows` answer requests; `look` asks the store, within bounds; `templates` hold the HTML.
"""
