# Commands: each at most once, whatever the power does; their results until the server has them.
from ozone_wire import NO_FLASH

_REPEATABLE = ("GET_STATUS", "SYNC_TIME", "UPDATE_SETTINGS")
_REMEMBERED = 12


class Commands:
    def _recall(self):  # what the flash remembers: whatever was begun and not ended was interrupted
        self._commands = self._store.get("commands") or []
        for kept in self._commands:
            if kept["stage"] in ("begun", "rebooting"):
                kept["success"] = kept["stage"] == "rebooting"
                kept["message"] = "restarted" if kept["success"] else "interrupted"
                kept["stage"] = "done"

    def _reported(self, kept):
        kept["stage"] = "told"
        if kept["flash"]:
            self._store.keep("commands", self._commands)
        self._fine("result", 0)

    def _carry_out(self, identifier, kind, payload):
        again = kind in _REPEATABLE
        for kept in self._commands:
            if kept["id"] == identifier:
                if kept["stage"] == "told":
                    kept["stage"] = "done"  # the result, not the deed
                return
        told = [kept for kept in self._commands if kept["stage"] == "told"]
        if len(self._commands) >= _REMEMBERED:
            if not told:
                return  # it comes again, or times out: nothing of it was done
            self._commands.remove(told[0])
        kept = {"id": identifier, "stage": "begun", "success": False, "message": "", "flash": not again}
        self._commands.append(kept)
        if not again and not self._store.keep("commands", self._commands):  # at most once: on flash before it is done
            kept["stage"], kept["message"] = "done", NO_FLASH
            return
        stage = "done"
        try:
            if kind in self.handlers:
                said = self.handlers[kind](payload)
                kept["success"], kept["message"] = said if isinstance(said, tuple) else (said is not False, "")
            elif kind == "REBOOT_DEVICE" and self.restart:
                self._restarting, stage = True, "rebooting"
            elif kind == "CLEAR_QUEUE":
                self._pass(self._last, self.queued)
                self._write_ack()
                kept["success"] = self._acked == self._written
                kept["message"] = "queue cleared" if kept["success"] else NO_FLASH
            elif kind == "CLEAR_MEMORY":
                self.forget_token()
                kept["success"], kept["message"] = True, "token forgotten"
            elif kind == "GET_STATUS":
                kept["success"] = True
            elif kind == "SYNC_TIME":
                kept["success"] = bool(self.now())
            else:
                kept["message"] = "unknown command"
        except Exception as problem:
            kept["message"] = "%s: %s" % (type(problem).__name__, problem)
        kept["stage"] = stage
        if not again:
            self._store.keep("commands", self._commands)
