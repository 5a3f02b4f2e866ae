#!/bin/sh
# DELETE /pets/{petId}: of two programs that remove the same file, one succeeds, so that one client is told 204.
. ./problem.sh

id=$UROCKET_PARAM_PETID
case $id in *[!0-9]*) problem 404 "No such pet" "There is no pet with this id"; exit ;; esac

if rm "$PETS_DATA/pets/$id.json" 2>/dev/null; then
  urocket reply --status 204 </dev/null
else
  problem 404 "No such pet" "There is no pet with id $id"
fi
