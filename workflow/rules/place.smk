import os
import sys

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
