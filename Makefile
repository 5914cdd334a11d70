# Two commands on a fresh machine: `make book` and `make test`. Everything else is here too.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
VENV := .venv/Scripts
else
VENV := .venv/bin
endif

.DEFAULT_GOAL := help
.PHONY: help book test pythons serve colab pdf lighthouse bench experiments mutants lowest lint fix clean environment tests-environment

help:  ## show this list
	@sed -n 's/^\([a-z-]*\): *[a-z-]* *## /\1\t/p' $(MAKEFILE_LIST) | expand -t 19

environment:  ## make .venv, with what the book needs
	@$(PYTHON) tools/environment.py

tests-environment:  ## the same, with what tests and tools need
	@$(PYTHON) tools/environment.py --tests

book: environment  ## set up, execute the notebooks that changed, build the site into _build/html
	@$(VENV)/python -m tools.book build

test: tests-environment  ## set up, build, and run every test
	@$(VENV)/python -m tools.book test

pythons:  ## run the unit tests on every supported Python at hand
	@$(PYTHON) tools/pythons.py

serve: environment  ## show the built site on http://127.0.0.1:8000
	@$(VENV)/python -m tools.book serve

colab: book  ## execute the notebooks' plain edition as on Colab (about 2 GB more, long)
	@$(VENV)/python -m tools.elsewhere colab

pdf: tests-environment  ## print the built site into one file, _build/book.pdf
	@$(VENV)/python -m tools.pdf

lighthouse: tests-environment  ## measure the built site with Lighthouse
	@$(VENV)/python -m tools.lighthouse

lowest: tests-environment  ## run reglib's unit tests with the lowest NumPy, under the interpreter of the pages
	@$(VENV)/python -m tools.live.unit_tests

bench: environment  ## time reglib beside PyTorch, Keras and scikit-learn
	@$(VENV)/python -m bench

experiments: environment  ## run the studies that do not fit a page, or go on with them (long)
	@$(VENV)/python -m regstudy

mutants: tests-environment  ## mutation testing of reglib against its unit tests (long)
	@$(VENV)/python -m tools.mutants

lint: tests-environment  ## ruff, types, spelling, and clean storage of the notebooks
	@$(VENV)/python -m tools.lint

fix: tests-environment  ## mend what lint can mend
	@$(VENV)/python -m tools.lint --fix

clean: environment  ## remove everything that was built
	@$(VENV)/python -m tools.book clean
