import os
import sys

import diffeo_stability

# Paths of results, and of what they are made from, are taken from the project's folder, and recorded like that
if not workflow.modifier.is_main_snakefile():
    sys.exit(
        f"error: {workflow.basedir} takes this project's Snakefile as a module: run the project by itself, in its own folder, "
        "and read its results from there"
    )
if not os.path.samefile(workflow.basedir, os.getcwd()):
    sys.exit(
        f"error: the project lies in {workflow.basedir} and runs there alone: cd {workflow.basedir} first, without -s and -d; "
        "for its data another folder can be set, data_dir"
    )

# Of another copy edits in here would do nothing, and records would name the commit of what was not run
own = os.path.join(workflow.basedir, "src", "diffeo_stability")
imported = os.path.dirname(diffeo_stability.__file__)
if os.path.isdir(own) and not os.path.samefile(own, imported):
    sys.exit(
        f"error: the package that runs is {imported}, not this project's src: activate the environment that make environment "
        "makes here, or pip install --no-deps -e . into the one that is active"
    )
