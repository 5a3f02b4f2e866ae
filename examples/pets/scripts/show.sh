#!/bin/sh
# GET /pets/{petId}: a pet is a file, and its file is the answer.
. ./problem.sh

id=$UROCKET_PARAM_PETID
# The contract lets whole numbers through; the file's name is their plain form only.
case $id in *[!0-9]*) problem 404 "No such pet" "There is no pet with this id"; exit ;; esac

if pet=$(cat "$PETS_DATA/pets/$id.json" 2>/dev/null); then
  printf '%s\n' "$pet" | urocket reply --type application/json
else
  problem 404 "No such pet" "There is no pet with id $id"
fi
