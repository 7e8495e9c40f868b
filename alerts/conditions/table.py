"""All conditions, one row each: what they are called, what is said of them, and how they are found."""

from datetime import timedelta
from typing import Final

from alerts.conditions import commands, counters, readings, selling, server, silence, stations
from alerts.conditions.found import Condition

_ROWS: Final = (
    Condition(
        silence.SILENT,
        "Silent",
        silence.says_silent,
        "Is it switched on, and does its network work? Its page tells its last words.",
    ),
    Condition(
        silence.OUTLET_SILENT,
        "Outlet silent",
        silence.says_outlet_silent,
        "Router or power: look at the outlet's router, its line and its fuse before the machines.",
    ),
    Condition(
        silence.NOTHING_HEARD,
        "Nothing is heard",
        silence.says_nothing_heard,
        "Look at this server's own network, name and certificate. No machine is reported silent meanwhile.",
        for_staff=True,
    ),
    Condition(
        selling.SELLS_NOTHING,
        "Sells nothing",
        selling.says_sells_nothing,
        "Is it out of order, blocked, or out of what it sells? Press its button.",
        sweep=selling.sells_nothing,
        at_once=40,  # once a day it reads four weeks of each machine, by the hour
    ),
    Condition(
        selling.HELD_UP,
        "Sales are held up",
        selling.says_held_up,
        "Its page shows what was refused: accept, correct or discard it, so that what is behind gets through.",
        sweep=selling.held_up,
    ),
    Condition(
        counters.COUNTER_BACK,
        "Counter stepped back",
        counters.says_counter_back,
        "Was it reset, or was its board changed? Its ledger shows the line: settle it.",
        sweep=counters.counter_back,
    ),
    Condition(
        counters.COUNTER_GAP,
        "Presses are missing",
        counters.says_counter_gap,
        "They may still be in the machine. Its ledger shows which: settle what does not come.",
        sweep=counters.counter_gap,
    ),
    Condition(
        counters.CLOCK_WRONG,
        "Clock is wrong",
        counters.says_clock_wrong,
        "Send SYNC_TIME, and give the presses their arrival time on the device's page.",
        sweep=counters.clock_wrong,
    ),
    Condition(
        readings.READING,
        "Reading",
        readings.says_reading,
        "Look at what it measures.",
        sweep=readings.readings,
    ),
    Condition(
        commands.COMMAND_FAILED,
        "Command failed",
        commands.says_command_failed,
        "Its page tells why. Retry it there, or acknowledge this.",
        find=commands.command_failed,
        is_passing=True,
    ),
    Condition(
        commands.HANDSHAKE_REFUSED,
        "Handshakes are refused",
        commands.says_handshake_refused,
        "Has the board lost its token? Then allow re-enrolment on its page. Else somebody knows its MAC.",
        find=commands.handshake_refused,
    ),
    Condition(
        stations.STATION_OFFLINE,
        "Station offline",
        stations.says_station_offline,
        "Is it switched on, and does its network work?",
        find=stations.station_offline,
        lasting=timedelta(minutes=5),
        for_staff=True,
    ),
    Condition(
        stations.SLOT_ERROR,
        "Slot in error",
        stations.says_slot_error,
        "Look for a bank that is stuck.",
        find=stations.slot_error,
        for_staff=True,
    ),
    Condition(
        stations.BANK_DAMAGED,
        "Power bank damaged",
        stations.says_bank_damaged,
        "Take it out.",
        find=stations.bank_damaged,
        for_staff=True,
    ),
    Condition(
        stations.BATTERY_LOW,
        "Battery is not charged",
        stations.says_battery_low,
        "Look at its contacts, and at the slot.",
        find=stations.battery_low,
        lasting=timedelta(hours=2),
        for_staff=True,
    ),
    Condition(
        stations.PARTNER_SILENT,
        "Partner stopped telling",
        stations.says_partner_silent,
        "Its sync log shows the last messages: was one refused? Ask the partner.",
        find=stations.partner_silent,
        for_staff=True,
    ),
    Condition(
        server.DISK_FULL,
        "Disk is filling up",
        server.says_disk_full,
        "Make room: docs/operations.md tells what grows, and how it is pruned.",
        find=server.disk_full,
        for_staff=True,
    ),
    Condition(
        server.BACKUP_OLD,
        "Backup is old",
        server.says_backup_old,
        "Run `manage.py backup`, and see why the timer did not.",
        find=server.backup_old,
        for_staff=True,
    ),
    Condition(
        server.WRITER_REFUSING,
        "Writes are refused",
        server.says_writer_refusing,
        "Look at the database: its disk, its locks, whether it answers.",
        find=server.writer_refusing,
        for_staff=True,
    ),
    Condition(
        server.CLOCK_JUMPED,
        "Clock was set",
        server.says_clock_jumped,
        "Is NTP running?",
        find=server.clock_jumped,
        is_passing=True,
        for_staff=True,
    ),
)
CONDITIONS: Final = {condition.kind: condition for condition in _ROWS}
